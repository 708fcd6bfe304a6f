select * from (
    select window_start, lag(window_end) over (order by window_start) as end_before from {{ ref('action_windows') }}
)
where window_start <> end_before
