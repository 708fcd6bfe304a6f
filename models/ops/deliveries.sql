{{ config(materialized='view') }}

with loaded_files as (
    select * from {{ ref('loaded_files') }}
    where delivery_content is not null
),

deliveries as (
    select
        source,
        landed_on,
        array_sort(collect_list(path)) as paths,
        sum(rows_landed) as rows_landed,
        sum(rows_loaded) as row_count,
        max(delivery_content) as content,
        max(loaded_at) as loaded_at
    from loaded_files
    group by source, landed_on
)

select * from deliveries
