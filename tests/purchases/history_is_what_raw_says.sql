-- Guards: the history made day by day is, row for row, the one that a single statement derives from raw. Without it a
-- version could be lost, doubled or misdated by a kill, a replay or a fault of the snapshot, and nobody would know.
{% set version_columns -%}
    purchase_id, product_id, user_id, purchased_on, year, month, day, version, valid_from, valid_to, recorded_on, closed_on
{%- endset %}

with sides as (
    select
        {{ version_columns }},
        {{ carried_values() }} as other_values,
        1 as surplus
    from {{ ref('purchases') }}
    union all
    select
        {{ version_columns }},
        {{ carried_values(is_json=true) }} as other_values,
        -1 as surplus
    from {{ ref('rebuilt_purchases') }}
)

-- A positive surplus is in the history and not in raw, a negative one the other way round.
select
    {{ version_columns }},
    other_values,
    sum(surplus) as surplus
from sides
where {{ is_history_verified() }}
group by {{ version_columns }}, other_values
having sum(surplus) <> 0
