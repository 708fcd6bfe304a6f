{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        meta={'scope': 'changed_landed_days', 'scope_column': 'landed_on', 'follows': 'quarantine_purchases'},
    )
}}

with files as (
    select
        landed_on,
        inline(files) as (path, content_hash)
    from {{ ref('purchase_deliveries') }}
    where {{ in_scope('landed_on') }}
),

intake as (
    select * from {{ ref('purchase_intake') }}
),

loaded as (
    select
        path,
        count(*) as row_count,
        max(loaded_at) as loaded_at
    from {{ ref('parsed_purchases') }}
    where {{ in_scope('landed_on') }}
    group by path
),

quarantined as (
    select
        path,
        count(*) as row_count
    from {{ ref('quarantine_purchases') }}
    where {{ in_scope('landed_on') }}
    group by path
),

-- Should the intake have lost a file that has left the landing folder, what was known of it stays.
known as (
    {{ known_purchase_files() }}
),

purchase_files as (
    select
        files.path,
        files.landed_on,
        coalesce(intake.size, known.size) as size,
        coalesce(intake.modified_at, known.modified_at) as modified_at,
        loaded.loaded_at,
        coalesce(intake.rows_landed, known.rows_landed) as rows_landed,
        coalesce(loaded.row_count, 0) - coalesce(quarantined.row_count, 0) as rows_valid,
        coalesce(quarantined.row_count, 0) as rows_quarantined
    from files
    left join intake on files.path = intake.path
    left join known on files.path = known.path
    left join loaded on files.path = loaded.path
    left join quarantined on files.path = quarantined.path
)

select * from purchase_files
