{#-
  The number of rows that meet `row_condition` is within the bounds: of the whole table, or of each group when
  `group_by` lists columns. The bounds themselves are allowed unless `strictly` is true. A group without rows is no
  group, so that nothing fails for it. At least one bound is needed.
-#}
{% test expect_table_row_count_to_be_between(
    model, min_value=none, max_value=none, group_by=none, row_condition=none, strictly=false
) %}
    {%- set outside = dbt_expectations.outside_bounds('count(*)', min_value, max_value, strictly) %}

select
    {%- for expression in group_by or [] %}
    {{ expression }} as group_{{ loop.index }},
    {%- endfor %}
    count(*) as row_count
from {{ model }}
{%- if row_condition %}
where {{ row_condition }}
{%- endif %}
{%- if group_by %}
group by {{ group_by | join(', ') }}
{%- endif %}
having {{ outside }}

{% endtest %}
