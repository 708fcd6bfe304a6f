{{ config(materialized='table') }}

select
    purchase_id,
    product_id,
    user_id,
    purchased_on,
    year(purchased_on) as year,
    month(purchased_on) as month,
    day(purchased_on) as day,
    landed_on
from {{ ref('judged_purchases') }}
where reason is null and landed_on = (select max(landed_on) from {{ ref('raw_purchases') }})
