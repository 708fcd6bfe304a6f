{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='events',
        meta={'scope': 'changed_files', 'scope_column': 'path', 'follows': 'event_files'},
        tblproperties={'delta.dataSkippingStatsColumns': 'event_at,path'},
    )
}}

with judged_events as (
    select * from {{ ref('judged_events') }}
    where {{ in_scope('path') }}
),

loaded_files as (
    select
        path,
        loaded_at
    from {{ ref('event_files') }}
    where status = 'loaded'
),

stage_events as (
    select
        judged_events.event_at,
        judged_events.action,
        year(judged_events.event_at) as year,
        month(judged_events.event_at) as month,
        day(judged_events.event_at) as day,
        judged_events.path
    from judged_events
    -- Rows that were loaded since then are not judged yet.
    inner join loaded_files
        on judged_events.path = loaded_files.path and judged_events.loaded_at = loaded_files.loaded_at
    where judged_events.is_valid
)

select * from stage_events
