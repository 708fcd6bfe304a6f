{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['truck_id', 'sensor', 'window_start']) }}

with readings as (
    select *, {{ window_start('recorded_at') }} as window_start from {{ ref('stage_sensor_readings') }}
)

select
    truck_id,
    sensor,
    window_start,
    window_start + interval 10 minutes as window_end,
    count(*) as reading_count,
    min(value) as min_value,
    avg(value) as average_value,
    max(value) as max_value,
    max_by(value, recorded_at) as last_value,
    min(recorded_at) as first_reading_at,
    max(recorded_at) as last_reading_at
from readings
{% if is_incremental() %}
-- late readings come within three days
where window_start >= (select coalesce(max(window_start), timestamp'0001-01-01') - interval 3 days from {{ this }})
{% endif %}
group by truck_id, sensor, window_start
