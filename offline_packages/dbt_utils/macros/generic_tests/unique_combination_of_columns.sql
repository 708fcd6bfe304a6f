{#- No two rows agree in all the columns of the list; two nulls agree. A failure is a combination that occurs twice. -#}
{% test unique_combination_of_columns(model, combination_of_columns, quote_columns=false) %}
    {%- set columns = [] -%}
    {%- for name in combination_of_columns -%}
        {%- do columns.append(adapter.quote(name) if quote_columns else name) -%}
    {%- endfor -%}

select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
