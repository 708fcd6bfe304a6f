{% snapshot purchases %}

{{ config(**history_config('purchases')) }}

select * from {{ ref('judged_purchases') }}

{% endsnapshot %}
