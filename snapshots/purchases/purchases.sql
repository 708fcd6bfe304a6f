{% snapshot purchases %}

{{
    config(
        unique_key='purchase_id',
        strategy='check',
        check_cols=['product_id', 'user_id', 'purchased_on'],
        hard_deletes='invalidate',
        snapshot_meta_column_names={
            'dbt_valid_from': 'valid_from',
            'dbt_valid_to': 'valid_to',
            'dbt_updated_at': 'recorded_on',
            'dbt_scd_id': 'version_id',
        },
        meta={'raw': 'raw_purchases', 'deliveries': 'purchase_deliveries', 'rebuilt': 'rebuilt_purchases'},
    )
}}

-- depends_on: {{ ref('purchase_deliveries') }}

select
    landed_on,
    purchase_id,
    product_id,
    user_id,
    purchased_on,
    other_columns,
    row_count,
    is_quarantined
from {{ ref('daily_purchases') }}
where {{ in_scope('landed_on') }}

{% endsnapshot %}
