-- Guards: new + modified + returned + unchanged + quarantined purchases of a day are the readable PurchaseIDs that
-- landed on it. Without it a purchase could be in none of the kinds, or in two. At scale it looks at the last week.
with changes as (
    select * from {{ ref('purchase_changes') }}
),

checked as (
    select
        *,
        row_number() over (order by landed_on desc) as age
    from changes
),

landed as (
    select
        make_date(year, month, day) as landed_on,
        count(distinct PurchaseID) as readable_count
    from {{ ref('raw_purchases') }}
    where
        PurchaseID rlike '^[0-9]{10}\\z'
        and make_date(year, month, day) >= (
            select min(checked.landed_on) from checked
            where checked.age <= 7 or {{ is_history_verified(declared('purchases')) }}
        )
    group by 1
)

select
    checked.*,
    landed.readable_count
from checked
left join landed on checked.landed_on = landed.landed_on
where
    (checked.age <= 7 or {{ is_history_verified(declared('purchases')) }})
    and checked.new_count + checked.modified_count + checked.returned_count + checked.unchanged_count
    + checked.quarantined_count <> coalesce(landed.readable_count, 0)
