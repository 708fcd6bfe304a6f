{{ config(materialized='view') }}

select * from {{ ref('purchases') }}
where dbt_valid_to is null
