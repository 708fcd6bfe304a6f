{{ config(materialized='table') }}

with windows as (
    select * from {{ ref('action_windows') }}
),

most_opens as (
    select * from windows
    order by open_count desc, window_start asc
    limit {{ var('top_windows') | int }}
),

top_open_windows as (
    select
        row_number() over (order by open_count desc, window_start asc) as rank,
        window_start,
        window_end,
        open_count,
        close_count,
        total_count,
        average_actions
    from most_opens
)

select * from top_open_windows
