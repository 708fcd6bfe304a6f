{{ config(materialized='incremental', incremental_strategy='insert_overwrite', partition_by='landed_on') }}

with refused as (
    select purchase_id, PurchaseID as landed_id, product, user, date, reason, path, landed_on from {{ ref('judged_purchases') }}
    where reason is not null
)

select * from refused
{{ only_new_days() }}
