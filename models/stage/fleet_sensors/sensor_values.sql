{{ config(materialized='ephemeral') }}

with fleet_sensors as (
    select * from {{ ref('raw_fleet_sensors') }}
),

values_of_columns as (
    select
        truck_id,
        recorded_at,
        path,
        landed_on,
        loaded_at,
        explode({{ map_of_sensors(landed_columns('raw_fleet_sensors')) }}) as (sensor, landed_text)
    from fleet_sensors
),

values_without_column as (
    select
        truck_id,
        recorded_at,
        path,
        landed_on,
        loaded_at,
        explode(other_values) as (landed_name, landed_text)
    from fleet_sensors
),

sensor_values as (
    select
        truck_id,
        recorded_at,
        sensor,
        null as landed_name,
        landed_text,
        -- -0.0 is 0.
        case when {{ json_type('landed_text') }} = 'number' then cast(landed_text as double) + 0.0 end as value,
        path,
        landed_on,
        loaded_at
    from values_of_columns
    union all
    select
        truck_id,
        recorded_at,
        null as sensor,
        landed_name,
        landed_text,
        null as value,
        path,
        landed_on,
        loaded_at
    from values_without_column
)

select * from sensor_values
