{{ config(materialized='view') }}

with versions as (
    select * from {{ ref('purchases') }}
),

current_purchases as (
    select
        purchase_id,
        product_id,
        user_id,
        purchased_on,
        year,
        month,
        day,
        version,
        valid_from,
        recorded_on
    from versions
    where valid_to is null
)

select * from current_purchases
