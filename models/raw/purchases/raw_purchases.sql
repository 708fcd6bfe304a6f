{{
    config(
        materialized='landed',
        alias='purchases',
        partition_by=['year', 'month', 'day'],
        tblproperties={'delta.dataSkippingNumIndexedCols': '0'},
        meta={
            'source': 'purchases',
            'changes': 'changed_deliveries',
            'intake': 'purchase_intake',
            'files': 'purchase_deliveries',
            'columns': ['PurchaseID', 'product', 'user', 'date'],
            'evolves': true,
        },
    )
}}

-- depends_on: {{ ref('purchase_intake') }}

{{ landed_purchases(this) }}
