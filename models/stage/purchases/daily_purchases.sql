{{ config(materialized='ephemeral') }}

-- A day is read when its delivery is known: depends_on: {{ ref('purchase_deliveries') }}
-- What the history has taken is recorded there: depends_on: {{ ref('history_days') }}

-- Spread by purchase once: what is grouped, joined and ordered by purchase, here and by who reads this, is so already.
with parsed_purchases as (
    select /*+ repartition(purchase_id) */
        landed_on,
        purchase_id,
        product_id,
        user_id,
        purchased_on,
        other_columns,
        is_valid
    from {{ ref('parsed_purchases') }}
),

grouped as (
    select
        landed_on,
        purchase_id,
        min(product_id) as product_id,
        min(user_id) as user_id,
        min(purchased_on) as purchased_on,
        -- Beside the four columns no value decides anything; of copies that differ there the first by text is taken.
        min(other_columns) as other_columns,
        count(*) as row_count,
        not bool_and(is_valid) as has_invalid_row,
        max(product_id) <> min(product_id)
        or max(user_id) <> min(user_id)
        or max(purchased_on) <> min(purchased_on) as has_different_rows
    from parsed_purchases
    group by landed_on, purchase_id
),

daily_purchases as (
    select
        landed_on,
        purchase_id,
        product_id,
        user_id,
        purchased_on,
        other_columns,
        row_count,
        has_invalid_row,
        coalesce(has_different_rows, false) as has_different_rows,
        has_invalid_row or has_different_rows as is_quarantined
    from grouped
)

select * from daily_purchases
