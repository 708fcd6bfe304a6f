{{ config(materialized='table') }}

with taken_files as (
    {{ taken_files() }}
),

-- What was taken once, from another path for instance, is known by what became of it.
ignored_files as (
    select ignored_files.*
    from {{ ref('ignored_files') }} as ignored_files
    left anti join taken_files on ignored_files.path = taken_files.path
),

landed_files as (
    select * from taken_files
    union all
    select
        source,
        path,
        size,
        modified_at,
        null as loaded_at,
        null as rows_landed,
        null as rows_valid,
        null as rows_quarantined,
        null as rows_refused,
        'ignored' as status,
        reason
    from ignored_files
)

select * from landed_files
