{{ config(materialized='table') }}

with versions as (
    select
        to_date(dbt_valid_from) as opened_on,
        to_date(dbt_valid_to) as closed_on,
        row_number() over (partition by purchase_id order by dbt_valid_from) as version,
        lag(dbt_valid_to) over (partition by purchase_id order by dbt_valid_from) = dbt_valid_from as is_modified,
        lead(dbt_valid_from) over (partition by purchase_id order by dbt_valid_from) = dbt_valid_to as is_followed
    from {{ ref('purchases') }}
),

changes as (
    select opened_on as changed_on, if(version = 1, 'new', if(is_modified, 'modified', 'returned')) as change from versions
    union all
    select closed_on as changed_on, 'removed' as change from versions
    where closed_on is not null and is_followed is not true
)

select
    changed_on,
    count_if(change = 'new') as new_count,
    count_if(change = 'modified') as modified_count,
    count_if(change = 'removed') as removed_count,
    count_if(change = 'returned') as returned_count
from changes
group by changed_on
