{{ config(materialized='table') }}

select
    row_number() over (order by open_count desc, window_start) as rank,
    *
from {{ ref('action_windows') }}
order by open_count desc, window_start
limit 10
