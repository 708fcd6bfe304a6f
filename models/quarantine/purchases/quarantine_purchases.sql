{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        alias='purchases',
        meta={'scope': 'changed_landed_days', 'scope_column': 'landed_on', 'follows': 'purchase_deliveries'},
        tblproperties={'delta.dataSkippingStatsColumns': 'landed_on,purchase_id'},
    )
}}

with parsed_purchases as (
    select * from {{ ref('parsed_purchases') }}
    where {{ in_scope('landed_on') }}
),

quarantined as (
    select * from {{ ref('daily_purchases') }}
    where is_quarantined and {{ in_scope('landed_on') }}
),

quarantine_purchases as (
    select
        parsed_purchases.PurchaseID,
        parsed_purchases.product,
        parsed_purchases.`user`,
        parsed_purchases.date,
        parsed_purchases.other_columns,
        parsed_purchases.malformed_line,
        parsed_purchases.purchase_id,
        -- A row without a readable PurchaseID concerns no other row.
        array_compact(array_append(
            array_append(
                parsed_purchases.reasons,
                if(
                    parsed_purchases.is_valid and quarantined.has_invalid_row,
                    'purchase_has_invalid_row',
                    cast(null as string)
                )
            ),
            if(
                parsed_purchases.purchase_id is not null and quarantined.has_different_rows,
                'purchase_has_different_rows',
                cast(null as string)
            )
        )) as reasons,
        parsed_purchases.landed_on,
        parsed_purchases.path,
        parsed_purchases.loaded_at
    from parsed_purchases
    inner join quarantined
        on
            parsed_purchases.landed_on = quarantined.landed_on
            and parsed_purchases.purchase_id <=> quarantined.purchase_id
)

select * from quarantine_purchases
