{{
    config(
        materialized='incremental',
        incremental_strategy='replace_where',
        full_refresh=false,
        meta={'scope': 'deliveries_to_record', 'scope_column': 'landed_on', 'raw': 'raw_purchases'},
        pre_hook="{{ check_first_load() }}",
    )
}}

{{
    delivery_states(
        ref('purchase_intake'),
        ref('raw_purchases'),
        this if is_incremental() else none,
        ['PurchaseID', 'product', 'user', 'date'],
    )
}}
