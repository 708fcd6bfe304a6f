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

purchase_files as (
    select
        files.path,
        files.landed_on,
        intake.size,
        intake.modified_at,
        loaded.loaded_at,
        intake.rows_landed,
        coalesce(loaded.row_count, 0) - coalesce(quarantined.row_count, 0) as rows_valid,
        coalesce(quarantined.row_count, 0) as rows_quarantined
    from files
    left join intake on files.path = intake.path
    left join loaded on files.path = loaded.path
    left join quarantined on files.path = quarantined.path
)

select * from purchase_files
