select purchase_id, product_id, user_id, purchased_on from {{ ref('delivered_purchases') }}
except
select purchase_id, product_id, user_id, purchased_on from {{ ref('current_purchases') }}
