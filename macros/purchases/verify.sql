{#- Whether the history is compared with its second derivation: as verify_history says, else up to 2,000,000 landed rows. -#}
{% macro is_history_verified() -%}
    {%- if var('verify_history') is not none -%}
        {{ var('verify_history') | lower }}
    {%- elif not execute or built_relation('purchase_deliveries') is none -%}
        true
    {%- else -%}
        {{ run_query(
            'select coalesce(sum(row_count), 0) <= 2000000 from ' ~ built_relation('purchase_deliveries')
        )[0][0] | lower }}
    {%- endif -%}
{%- endmacro %}


{#- The columns of the source beside its own that the history carries, as named_columns gives them. -#}
{% macro carried_columns() %}
    {%- if not execute or built_relation('purchases') is none or built_relation('purchase_deliveries') is none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set names = run_query(
        'select distinct explode(other_columns) as name from ' ~ built_relation('purchase_deliveries') ~ ' order by name'
    ).columns[0].values() | list -%}
    {%- set there = adapter.get_columns_in_relation(built_relation('purchases')) | map(attribute='name') | list -%}
    {{ return(
        named_columns(names, built_relation('purchases'), own_columns('purchases'))
        | selectattr('column_name', 'in', there) | list
    ) }}
{% endmacro %}


{#- Their values as an array of texts, of the history's own columns, or of the JSON text in other_columns. -#}
{% macro carried_values(is_json=false) -%}
    {%- set values = [] -%}
    {%- for column in carried_columns() -%}
        {% do values.append(other_value(column) if is_json else '`' ~ column.column_name ~ '`') %}
    {%- endfor -%}
    array({{ values | join(', ') }})
{%- endmacro %}
