-- Guards: the history made day by day is, row for row, the one that a single statement derives from raw. Without it a
-- version could be lost, doubled or misdated by a kill, a replay or a fault of the snapshot, and nobody would know.
with versions as (
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
        valid_to,
        recorded_on,
        closed_on,
        {{ carried_values() }} as other_values
    from {{ ref('purchases') }}
),

rebuilt as (
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
        valid_to,
        recorded_on,
        closed_on,
        {{ carried_values('other_columns') }} as other_values
    from {{ ref('rebuilt_purchases') }}
),

differences as (
    (
        select
            'not in raw' as difference,
            *
        from versions
        except all
        select
            'not in raw' as difference,
            *
        from rebuilt
    )
    union all
    (
        select
            'not in the history' as difference,
            *
        from rebuilt
        except all
        select
            'not in the history' as difference,
            *
        from versions
    )
)

select * from differences
where {{ is_history_verified() }}
