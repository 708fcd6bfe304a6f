-- Guards: from the first window to the last each begins where the one before ends. Without it quiet windows could be
-- missing, and averages over windows be too high.
with windows as (
    select
        window_start,
        lag(window_end) over (order by window_start) as end_before
    from {{ ref('action_windows') }}
)

select * from windows
where window_start <> end_before
