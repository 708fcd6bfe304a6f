{{ config(materialized='table') }}

select
    count(*) as window_count,
    coalesce(sum(total_count), 0) as event_count,
    cast(try_divide(sum(total_count), count(*)) as double) as average_actions_per_window
from {{ ref('action_windows') }}
