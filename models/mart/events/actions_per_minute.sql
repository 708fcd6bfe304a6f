{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        on_schema_change='fail',
        tblproperties={'strata.window_minutes': var('window_minutes')},
    )
}}
{% set scope = changes_of(ref('stage_events'), by='event_at', replaces='minute_start') %}

with events as (
    select * from {{ ref('stage_events') }}
    where {{ in_scope(scope, 'event_at') }}
),

minutes as (
    select
        timestamp_seconds(unix_seconds(event_at) - pmod(unix_seconds(event_at), 60)) as minute_start,
        count_if(action = 'Open') as open_count,
        count_if(action = 'Close') as close_count
    from events
    group by 1
),

actions_per_minute as (
    select
        minute_start,
        {{ window_start('minute_start') }} as window_start,
        open_count,
        close_count
    from minutes
)

select * from actions_per_minute
