{{ config(materialized='ephemeral') }}

select
    *,
    try_cast(PurchaseID as bigint) as purchase_id,
    try_cast(product as int) as product_id,
    try_cast(user as int) as user_id,
    try_cast(date as date) as purchased_on,
    case
        when try_cast(PurchaseID as bigint) is null then 'purchase_id_malformed'
        when try_cast(product as int) is null then 'product_malformed'
        when try_cast(user as int) is null then 'user_malformed'
        when try_cast(date as date) is null then 'date_malformed'
    end as reason
from {{ ref('raw_purchases') }}
