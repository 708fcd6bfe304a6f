{{ config(materialized='table') }}

with event_files as (
    select * from {{ ref('event_files') }}
    where status <> 'gone'
),

landed_files as (
    select
        'events' as source,
        path,
        size,
        modified_at,
        loaded_at,
        rows_landed,
        rows_valid,
        rows_quarantined,
        rows_refused,
        status,
        reason
    from event_files
)

select * from landed_files
