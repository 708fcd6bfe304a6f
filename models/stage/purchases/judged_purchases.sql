{{ config(materialized='ephemeral') }}

with read as (
    {{ read_rows(ref('raw_purchases'), 'purchases') }}
),

judged_purchases as (
    select
        *,
        year(purchased_on) as year,
        month(purchased_on) as month,
        day(purchased_on) as day,
        {{ verdict('purchases') }}
    from read
)

select * from judged_purchases
