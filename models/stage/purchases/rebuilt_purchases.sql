{{ config(materialized='view') }}

{{ rebuilt_history(ref('purchases'), ref('judged_purchases'), 'purchases') }}
