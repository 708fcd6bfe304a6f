{{ config(materialized='ephemeral') }}

with quarantined_rows as (
    select * from {{ ref('quarantine_purchases') }}
    where purchase_id is not null
),

quarantined_purchases as (
    select distinct
        landed_on,
        purchase_id
    from quarantined_rows
)

select * from quarantined_purchases
