{{
    config(
        materialized='incremental',
        incremental_strategy='insert_overwrite',
        partition_by='landed_on',
        pre_hook="create or replace temporary view landed_purchases (PurchaseID string, product string, user string, date string) using csv options (" ~ landed('purchases') ~ ")"
    )
}}

with landed as (
    select PurchaseID, product, user, date, input_file_name() as path, {{ landed_on() }} as landed_on from landed_purchases
)

select * from landed
{{ only_new_days() }}
