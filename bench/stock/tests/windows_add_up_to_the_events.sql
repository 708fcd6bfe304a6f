with counts as (
    select
        (select count(*) from {{ ref('stage_events') }}) as in_stage,
        (select coalesce(sum(open_count + close_count), 0) from {{ ref('actions_per_minute') }}) as in_minutes,
        (select coalesce(sum(total_count), 0) from {{ ref('action_windows') }}) as in_windows,
        (select event_count from {{ ref('action_totals') }}) as in_totals
)

select * from counts
where in_stage <> in_minutes or in_stage <> in_windows or in_stage <> in_totals
