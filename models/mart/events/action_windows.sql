{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        on_schema_change='fail',
        tblproperties={'strata.window_minutes': var('window_minutes')},
    )
}}
{% set minutes = ref('actions_per_minute') %}
{% set scope = with_edges(changes_of(minutes, by='minute_start', replaces='window_start'), minutes) %}

with minutes as (
    select * from {{ ref('actions_per_minute') }}
),

edges as (
    select
        min({{ window_start('minute_start') }}) as first_window,
        max({{ window_start('minute_start') }}) as last_window
    from minutes
),

every_window as (
    select explode(sequence(first_window, last_window, {{ window_length() }})) as window_start
    from edges
),

counted as (
    select
        {{ window_start('minute_start') }} as window_start,
        sum(open_count) as open_count,
        sum(close_count) as close_count
    from minutes
    where {{ in_scope(scope, 'minute_start') }}
    group by 1
),

action_windows as (
    select
        every_window.window_start,
        every_window.window_start + {{ window_length() }} as window_end,
        coalesce(counted.open_count, 0) as open_count,
        coalesce(counted.close_count, 0) as close_count,
        coalesce(counted.open_count + counted.close_count, 0) as total_count,
        cast(coalesce(counted.open_count + counted.close_count, 0) / 2 as double) as average_actions
    from every_window
    left join counted on every_window.window_start = counted.window_start
    where {{ in_scope(scope, 'every_window.window_start') }}
)

select * from action_windows
