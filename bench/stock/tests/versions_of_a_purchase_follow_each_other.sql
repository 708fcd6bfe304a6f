select * from (
    select dbt_valid_to, lead(dbt_valid_from) over (partition by purchase_id order by dbt_valid_from) as next_from
    from {{ ref('purchases') }}
)
where next_from < dbt_valid_to or (dbt_valid_to is null and next_from is not null)
