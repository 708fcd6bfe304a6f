{{ config(materialized='ephemeral') }}

-- By name: a landed column may have any other.
with landed as (
    select
        PurchaseID,
        product,
        `user`,
        date,
        other_columns,
        malformed_line,
        path,
        loaded_at,
        make_date(year, month, day) as landed_on
    from {{ ref('raw_purchases') }}
),

parsed as (
    select
        *,
        -- A cast alone is lenient: each text must have the whole form.
        case when PurchaseID rlike '^[0-9]{10}\\z' then cast(PurchaseID as bigint) end as purchase_id,
        case when product rlike '^[0-9]{1,9}\\z' then cast(product as int) end as product_id,
        case when `user` rlike '^[0-9]{7}\\z' then cast(`user` as int) end as user_id,
        case when date rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}\\z' then try_cast(date as date) end as purchased_on
    from landed
),

parsed_purchases as (
    select
        *,
        coalesce(
            malformed_line is null
            and purchase_id is not null
            and product_id >= 1
            and user_id is not null
            and purchased_on <= landed_on
            and purchased_on >= {{ earliest_valid_on() }},
            false
        ) as is_valid,
        -- Only the few rows that are not valid pay for their reasons: what does not select them does not compute them.
        array_compact(array(
            case when malformed_line is not null then 'field_count' end,
            case when malformed_line is null and nullif(PurchaseID, '') is null then 'purchase_id_missing' end,
            case when PurchaseID <> '' and purchase_id is null then 'purchase_id_malformed' end,
            case when malformed_line is null and nullif(product, '') is null then 'product_missing' end,
            case when product <> '' and coalesce(product_id, 0) < 1 then 'product_malformed' end,
            case when malformed_line is null and nullif(`user`, '') is null then 'user_missing' end,
            case when `user` <> '' and user_id is null then 'user_malformed' end,
            case when malformed_line is null and nullif(date, '') is null then 'date_missing' end,
            case when date <> '' and purchased_on is null then 'date_malformed' end,
            case when purchased_on > landed_on then 'date_after_landed_day' end,
            case when purchased_on < {{ earliest_valid_on() }} then 'date_too_early' end
        )) as reasons
    from parsed
)

select * from parsed_purchases
