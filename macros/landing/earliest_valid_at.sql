{#- The first day on which a landed row can be valid. -#}
{% macro earliest_valid_on() -%}
    date'{{ var('earliest_valid_date') }}'
{%- endmacro %}


{#- Its first moment. -#}
{% macro earliest_valid_at() -%}
    timestamp'{{ var('earliest_valid_date') }} 00:00:00'
{%- endmacro %}
