{{ config(materialized='table') }}

select
    sensor,
    min(first_reading_at) as first_seen_at,
    max(last_reading_at) as last_seen_at,
    count(distinct truck_id) as truck_count,
    sum(reading_count) as reading_count,
    count(*) as window_count
from {{ ref('sensor_windows') }}
group by sensor
