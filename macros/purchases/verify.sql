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


{#- The names, as landed, of the source's other columns that the history carries. -#}
{% macro carried_names() %}
    {%- if not execute or built_relation('purchases') is none or built_relation('purchase_deliveries') is none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set rows = run_query(
        'select distinct explode(other_columns) as name from ' ~ built_relation('purchase_deliveries') ~ ' order by name'
    ) -%}
    {%- set there = adapter.get_columns_in_relation(built_relation('purchases')) | map(attribute='name') | list -%}
    {%- set names = [] -%}
    {%- for row in rows if column_name(row[0]) in there -%}
        {% do names.append(row[0]) %}
    {%- endfor -%}
    {{ return(names) }}
{% endmacro %}


{#-
  Their values as an array of texts, of the history's own columns, or of the JSON text in the column `json`.
-#}
{% macro carried_values(json=none) -%}
    {%- set values = [] -%}
    {%- for name in carried_names() -%}
        {% do values.append(
            '`' ~ column_name(name) ~ '`' if json is none
            else 'from_json(' ~ json ~ ", 'map<string,string>')[" ~ text_literal(name) ~ ']'
        ) %}
    {%- endfor -%}
    array({{ values | join(', ') }})
{%- endmacro %}
