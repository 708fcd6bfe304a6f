{{ config(materialized='view') }}

-- depends_on: {{ ref('purchases') }}

with daily_purchases as (
    select * from {{ ref('daily_purchases') }}
    where purchase_id is not null
),

days as (
    select
        landed_on,
        row_number() over (order by landed_on) as number
    from (
        {{ history_days() }}
    ) as history_days
),

numbered as (
    select
        daily_purchases.*,
        days.number
    from daily_purchases
    inner join days on daily_purchases.landed_on = days.landed_on
),

-- A stretch is a run of landed days without one on which the purchase is missing.
with_neighbours as (
    select
        *,
        coalesce(lag(number) over (partition by purchase_id order by number) < number - 1, true) as starts_stretch,
        coalesce(lead(number) over (partition by purchase_id order by number) > number + 1, true) as ends_stretch
    from numbered
),

with_stretches as (
    select
        *,
        sum(if(starts_stretch, 1, 0)) over (
            partition by purchase_id order by number rows between unbounded preceding and current row
        ) as stretch
    from with_neighbours
),

with_last_valid as (
    select
        *,
        last_value(if(is_quarantined, null, struct(product_id, user_id, purchased_on, stretch)), true) over (
            partition by purchase_id order by number rows between unbounded preceding and 1 preceding
        ) as last_valid
    from with_stretches
),

-- A version opens where a valid day differs from the last valid one, or is in another stretch.
with_openings as (
    select
        *,
        not is_quarantined and not (last_valid <=> struct(product_id, user_id, purchased_on, stretch)) as opens
    from with_last_valid
),

turns as (
    select
        *,
        lead(number) over (partition by purchase_id order by number) as next_number,
        lead(opens) over (partition by purchase_id order by number) as next_opens
    from with_openings
    where opens or ends_stretch
),

-- What comes after an opening is the next one, or the stretch's end, which may be the opening itself.
opened as (
    select
        *,
        not ends_stretch and next_opens as is_modified,
        case
            when ends_stretch then number + 1
            when next_opens then next_number
            else next_number + 1
        end as closed_number
    from turns
    where opens
),

versions as (
    select
        opened.*,
        opened.landed_on as recorded_on,
        days.landed_on as closed_on,
        row_number() over (partition by opened.purchase_id order by opened.number) as version
    from opened
    left join days on opened.closed_number = days.number
),

with_previous as (
    select
        *,
        lag(stretch) over (partition by purchase_id order by version) as stretch_before,
        lag(recorded_on) over (partition by purchase_id order by version) as recorded_before,
        lag(closed_on) over (partition by purchase_id order by version) as closed_before,
        lag(purchased_on) over (partition by purchase_id order by version) as purchased_before
    from versions
),

-- A version starts a group if it is the first, comes back, or its date is after the landed day of the one before.
with_group_starts as (
    select
        *,
        coalesce(stretch <> stretch_before or purchased_on > recorded_before, true) as starts_group,
        coalesce(stretch <> stretch_before and purchased_on < closed_before, false) as returns_too_early
    from with_previous
),

with_groups as (
    select
        *,
        sum(if(starts_group, 1, 0)) over (
            partition by purchase_id order by version rows between unbounded preceding and current row
        ) as group_number
    from with_group_starts
),

-- In a group valid_from is the date until a date is not later than the one before, and the landed day from there on.
with_valid_from as (
    select
        *,
        if(
            max(returns_too_early or (not starts_group and purchased_on <= purchased_before)) over (
                partition by purchase_id, group_number order by version
                rows between unbounded preceding and current row
            ),
            recorded_on,
            purchased_on
        ) as valid_from
    from with_groups
),

rebuilt_purchases as (
    select
        purchase_id,
        product_id,
        user_id,
        purchased_on,
        year(purchased_on) as year,
        month(purchased_on) as month,
        day(purchased_on) as day,
        version,
        valid_from,
        if(is_modified, lead(valid_from) over (partition by purchase_id order by version), closed_on) as valid_to,
        recorded_on,
        closed_on,
        other_columns
    from with_valid_from
)

select * from rebuilt_purchases
