{{ config(materialized='table') }}

with versions as (
    select * from {{ ref('purchases') }}
),

quarantined_purchases as (
    select * from {{ ref('quarantined_purchases') }}
),

days as (
    {{ history_days('purchases') }}
),

with_neighbours as (
    select
        recorded_on,
        closed_on,
        version,
        lag(closed_on) over (partition by purchase_id order by version) as closed_before,
        lead(recorded_on) over (partition by purchase_id order by version) as recorded_after
    from versions
),

opened as (
    select
        recorded_on as landed_on,
        count(*) as opened_count,
        count_if(version = 1) as new_count,
        count_if(version > 1 and closed_before = recorded_on) as modified_count,
        count_if(version > 1 and closed_before < recorded_on) as returned_count
    from with_neighbours
    group by recorded_on
),

closed as (
    select
        closed_on as landed_on,
        count(*) as closed_count,
        count_if(not (recorded_after <=> closed_on)) as removed_count
    from with_neighbours
    where closed_on is not null
    group by closed_on
),

quarantined as (
    select
        landed_on,
        count(*) as quarantined_count
    from quarantined_purchases
    group by landed_on
),

-- Quarantined, and left as they are: open before the day and after it.
quarantined_open as (
    select
        quarantined_purchases.landed_on,
        count(*) as quarantined_open_count
    from quarantined_purchases
    inner join versions
        on
            quarantined_purchases.purchase_id = versions.purchase_id
            and quarantined_purchases.landed_on > versions.recorded_on
            and coalesce(quarantined_purchases.landed_on < versions.closed_on, true)
    group by quarantined_purchases.landed_on
),

counted as (
    select
        days.landed_on,
        coalesce(opened.opened_count, 0) as opened_count,
        coalesce(opened.new_count, 0) as new_count,
        coalesce(opened.modified_count, 0) as modified_count,
        coalesce(opened.returned_count, 0) as returned_count,
        coalesce(closed.closed_count, 0) as closed_count,
        coalesce(closed.removed_count, 0) as removed_count,
        coalesce(quarantined.quarantined_count, 0) as quarantined_count,
        coalesce(quarantined_open.quarantined_open_count, 0) as quarantined_open_count
    from days
    left join opened on days.landed_on = opened.landed_on
    left join closed on days.landed_on = closed.landed_on
    left join quarantined on days.landed_on = quarantined.landed_on
    left join quarantined_open on days.landed_on = quarantined_open.landed_on
),

purchase_changes as (
    select
        landed_on,
        new_count,
        modified_count,
        removed_count,
        returned_count,
        -- Open over the whole day: opened before it, and not closed by its end.
        sum(opened_count - closed_count) over (order by landed_on) - opened_count
        - quarantined_open_count as unchanged_count,
        quarantined_count
    from counted
)

select * from purchase_changes
