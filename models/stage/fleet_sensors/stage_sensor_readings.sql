{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='sensor_readings',
        meta={'scope': 'changed_days', 'scope_column': 'recorded_at', 'follows': 'raw_fleet_sensors'},
        tblproperties={'delta.dataSkippingStatsColumns': 'recorded_at,path'},
    )
}}

with numbers as (
    select * from {{ ref('sensor_values') }}
    where value is not null and {{ in_scope('recorded_at') }}
),

-- A truck says one thing of a sensor at a time; equal copies of it, in whatever files, are one reading.
agreed as (
    select
        truck_id,
        recorded_at,
        sensor,
        min(value) as value,
        min(path) as path,
        count(*) - 1 as copy_count
    from numbers
    group by truck_id, recorded_at, sensor
    having min(value) = max(value)
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
    from agreed
)

select * from stage_sensor_readings
