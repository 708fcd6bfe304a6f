{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        on_schema_change='fail',
        meta={'scope': 'changed_days', 'scope_column': 'window_start', 'follows': 'stage_sensor_readings'},
        tblproperties={'strata.window_minutes': var('window_minutes')},
    )
}}

-- Sums of doubles depend on their order: in the order of time they are the same in whatever runs the readings came.
with readings as (
    select
        *,
        {{ window_start('recorded_at') }} as window_start
    from {{ ref('stage_sensor_readings') }}
    where {{ in_scope('recorded_at') }}
    distribute by truck_id, sensor
    sort by truck_id, sensor, recorded_at
),

sensor_windows as (
    select
        truck_id,
        sensor,
        window_start,
        window_start + {{ window_length() }} as window_end,
        count(*) as reading_count,
        min(value) as min_value,
        sum(value) / count(*) as average_value,
        max(value) as max_value,
        max_by(value, recorded_at) as last_value,
        min(recorded_at) as first_reading_at,
        max(recorded_at) as last_reading_at
    from readings
    group by truck_id, sensor, window_start
)

select * from sensor_windows
