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
    select path from {{ ref('event_files') }}
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
    inner join loaded_files on judged_events.path = loaded_files.path
    where judged_events.is_valid
)

select * from stage_events
