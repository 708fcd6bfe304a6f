{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='landed_on') }}

with refused as (
    select time, action, reason, path, landed_on from {{ ref('judged_events') }}
    where reason is not null
)

select * from refused
{{ only_new_days() }}
