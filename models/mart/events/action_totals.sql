{{ config(materialized='table') }}

with windows as (
    select * from {{ ref('action_windows') }}
),

action_totals as (
    select
        count(*) as window_count,
        coalesce(sum(total_count), 0) as event_count,
        cast(sum(total_count) / count(*) as double) as average_actions_per_window
    from windows
)

select * from action_totals
