{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='events',
        meta={'scope': 'changed_files', 'scope_column': 'path', 'follows': 'event_files'},
        tblproperties={'delta.dataSkippingStatsColumns': 'path'},
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
    -- Of a file without such rows none are read.
    where status = 'loaded' and rows_quarantined > 0
),

quarantine_events as (
    select
        judged_events.time,
        judged_events.action,
        judged_events.other_columns,
        judged_events.malformed_line,
        judged_events.reasons,
        judged_events.path,
        judged_events.file_modified_at,
        judged_events.loaded_at
    from judged_events
    -- Rows that were loaded since then are not judged yet.
    inner join loaded_files
        on judged_events.path = loaded_files.path and judged_events.loaded_at = loaded_files.loaded_at
    where not judged_events.is_valid
)

select * from quarantine_events
