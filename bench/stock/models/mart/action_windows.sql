{{ config(materialized='incremental', incremental_strategy='merge', unique_key='window_start') }}

with minutes as (
    select * from {{ ref('actions_per_minute') }}
),

every_window as (
    select explode(sequence(min(window_start), max(window_start), interval 10 minutes)) as window_start from minutes
),

counted as (
    select window_start, sum(open_count) as open_count, sum(close_count) as close_count from minutes
    group by 1
)

select
    every_window.window_start,
    every_window.window_start + interval 10 minutes as window_end,
    coalesce(counted.open_count, 0) as open_count,
    coalesce(counted.close_count, 0) as close_count,
    coalesce(counted.open_count + counted.close_count, 0) as total_count,
    cast(coalesce(counted.open_count + counted.close_count, 0) / 2 as double) as average_actions
from every_window
left join counted on every_window.window_start = counted.window_start
{% if is_incremental() %}
where every_window.window_start >= (select coalesce(max(window_start), timestamp'0001-01-01') - interval 3 days from {{ this }})
{% endif %}
