{{ config(materialized='table') }}

with windows as (
    select * from {{ ref('sensor_windows') }}
),

sensor_names as (
    select * from {{ ref('sensor_names') }}
),

trucks as (
    select
        truck_id,
        count(distinct window_start) as window_count
    from windows
    group by truck_id
),

sensors_of_trucks as (
    select
        truck_id,
        sensor,
        min(first_reading_at) as first_seen_at,
        max(last_reading_at) as last_seen_at,
        sum(reading_count) as reading_count,
        count(*) as window_count
    from windows
    group by truck_id, sensor
),

sensors as (
    select
        sensors_of_trucks.sensor,
        min(sensors_of_trucks.first_seen_at) as first_seen_at,
        max(sensors_of_trucks.last_seen_at) as last_seen_at,
        count(*) as truck_count,
        sum(sensors_of_trucks.reading_count) as reading_count,
        cast(sum(sensors_of_trucks.window_count) / sum(trucks.window_count) as double) as window_share
    from sensors_of_trucks
    inner join trucks on sensors_of_trucks.truck_id = trucks.truck_id
    group by sensors_of_trucks.sensor
),

sensor_catalog as (
    select
        sensors.sensor,
        sensor_names.landed_name,
        sensors.first_seen_at,
        sensors.last_seen_at,
        sensors.truck_count,
        sensors.reading_count,
        sensors.window_share
    from sensors
    left join sensor_names on sensors.sensor = sensor_names.column_name
)

select * from sensor_catalog
