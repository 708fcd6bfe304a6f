{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='sensor_readings',
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

with readings as (
    {{ readings(ref('judged_fleet_sensors'), 'fleet_sensors', named='sensor') }}
),

stage_sensor_readings as (
    select
        truck_id,
        recorded_at,
        sensor,
        value,
        year(recorded_at) as year,
        month(recorded_at) as month,
        day(recorded_at) as day,
        path,
        copy_count
    from readings
)

select * from stage_sensor_readings
